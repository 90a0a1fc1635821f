from __future__ import annotations

from workloads import NodeRequest, NodeState, RequestTree, Task


def grown() -> RequestTree:
    tree = RequestTree(Task(4, 100, 0.5))
    root = tree.add(NodeRequest(share_ratio=0.5, keep_kv=True), max_tokens=64)
    root.generated_tokens = 30
    tree.close(root, NodeState.FINISHED)
    tree.add(NodeRequest(parent=0, share_ratio=0.5, max_tokens=8), max_tokens=64)
    return tree


def test_a_child_continues_the_text_of_its_parent() -> None:
    child = grown().nodes[1]
    assert (child.prompt_tokens, child.depth, child.index) == (130, 1, 1)


def test_a_node_has_its_share_of_the_cap_unless_its_request_is_tighter() -> None:
    assert [node.max_tokens for node in grown().nodes] == [32, 8]


def test_closing_a_node_counts_it_out() -> None:
    tree = grown()
    assert (tree.open_nodes, len(tree.finished)) == (1, 1)
    tree.close(tree.nodes[1], NodeState.CANCELLED)
    assert (tree.open_nodes, len(tree.finished)) == (0, 1)


def test_the_graph_is_rooted_in_the_task() -> None:
    graph = grown().to_networkx()
    assert graph.graph["task"] == 4
    assert list(graph.edges) == [(-1, 0), (0, 1)]
    assert graph.nodes[-1]["prompt_tokens"] == 100
    assert graph.nodes[0]["state"] == "finished"

// Runs inference-lab on N equal requests at time 0 and prints its metrics: inference_lab_run.mjs N PROMPT OUTPUT.
// Qwen3-8B in bf16 on the bandwidth, FLOPs and memory of eight B200; a step of at most 8,192 tokens and 512 sequences.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { initSync, run_simulation } from "@doublewordai/inference-lab";

const GPUS = 8;
const [count, prompt, output] = process.argv.slice(2, 5).map(Number);
const entry = createRequire(import.meta.url).resolve("@doublewordai/inference-lab");
initSync({ module: readFileSync(entry.replace(/inference_lab\.js$/, "inference_lab_bg.wasm")) });

const config = {
  hardware: {
    name: "8 x B200",
    compute_flops: GPUS * 2.25e15,
    memory_bandwidth: GPUS * 8e12,
    memory_capacity: GPUS * 180e9,
    gpu_memory_utilization: 0.9,
    bytes_per_param: 2,
  },
  model: {
    name: "Qwen3-8B",
    num_parameters: 8190735360,
    num_layers: 36,
    hidden_dim: 4096,
    num_heads: 32,
    num_kv_heads: 8,
    max_seq_len: 40960,
  },
  scheduler: {
    max_num_batched_tokens: 8192,
    max_num_seqs: 512,
    policy: "fcfs",
    enable_chunked_prefill: true,
    long_prefill_token_threshold: 0,
    max_num_partial_prefills: 512,
    block_size: 16,
  },
  workload: {
    arrival_pattern: "batched",
    arrival_rate: 1.0,
    input_len_dist: { type: "fixed", value: prompt },
    output_len_dist: { type: "fixed", value: output },
    num_requests: count,
    seed: 1,
  },
  simulation: { log_interval: 1000000 },
};
process.stdout.write(JSON.stringify(run_simulation(JSON.stringify(config)).metrics));

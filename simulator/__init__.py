"""kinesim: a discrete-event simulator of LLM inference for test-time scaling."""

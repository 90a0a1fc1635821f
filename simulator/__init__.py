"""kinesim: a discrete-event simulator of LLM inference for test-time scaling."""

__version__ = "0.1.0"

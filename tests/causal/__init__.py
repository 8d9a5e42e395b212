"""A pretrained causal language model as the text encoder: what leak and drift are behind the LLM families."""

"""A model of real words for tests: a pretrained text encoder, and a small UNet that draws what it reads."""

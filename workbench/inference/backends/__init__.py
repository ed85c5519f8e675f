"""What a worker computes with: llama.cpp, or a script for tests and demonstrations."""

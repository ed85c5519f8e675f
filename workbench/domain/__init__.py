"""Records and rules of medical safety evaluation: pure data and functions, no input or output."""

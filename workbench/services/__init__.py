"""Use cases, free of Qt, SQL and llama.cpp: long ones are generators that yield progress records."""

# Read by CMake before llama.cpp's own files. The binding insists on a library of command line helpers that it never
# loads and that takes as long to compile as the engine; a plain variable wins over the cache entry it writes.
set(LLAMA_BUILD_COMMON OFF)

// libuv's echo server, and nothing else.
#include "serving.h"

int main(int count, char **arguments) { return serve(uv_default_loop(), arguments[count - 1]); }

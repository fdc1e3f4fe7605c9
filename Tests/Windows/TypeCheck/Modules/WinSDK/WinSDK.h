// Stands in for the SDK's module of the same name, as far as swift-log needs it.
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

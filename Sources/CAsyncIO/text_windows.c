#if defined(_WIN32)
#include "win32.h"

// Text: UTF-8 in the package, UTF-16 in the system. What is not text in either form is refused and not replaced: a name
// with another letter in it is another name.

WCHAR *win32_wide(const char *text) {
  int count = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
  WCHAR *wide = count > 0 ? calloc((size_t)count, sizeof *wide) : NULL;
  if (wide) MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, count);
  return wide;
}

char *win32_narrow(const WCHAR *text) {
  int count = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, -1, NULL, 0, NULL, NULL);
  char *narrow = count > 0 ? calloc((size_t)count, 1) : NULL;
  if (narrow) WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text, -1, narrow, count, NULL, NULL);
  return narrow;
}
#endif

#if defined(_WIN32)
#include <stdlib.h>
#include <string.h>
#include <windows.h>

// What stands in for the programs of POSIX systems that checks start as children: cat, sh. There is nothing of the kind
// on every Windows, so the program that runs the checks plays them itself, before its main. Its words:
//
//     cat             copies its input to its output
//     line            reads a line; `say` writes it, `say:TEXT` writes it after a text
//     out:TEXT        writes a line to its output, `err:TEXT` to its error
//     exit:NUMBER     ends
//     sleep           sleeps for a long time
//     child:W,W       starts another one with these words, which has the same three streams, and goes on

static const char option[] = " --play-child ";
static char line[256];

static HANDLE stream(DWORD which) { return GetStdHandle(which); }

static void write_all(HANDLE file, const char *bytes, size_t count) {
  DWORD n;
  while (count > 0 && WriteFile(file, bytes, (DWORD)count, &n, NULL) && n > 0) {
    bytes += n;
    count -= n;
  }
}

static void copy_all(void) {
  static char bytes[64 * 1024];
  DWORD n;
  while (ReadFile(stream(STD_INPUT_HANDLE), bytes, sizeof bytes, &n, NULL) && n > 0) {
    write_all(stream(STD_OUTPUT_HANDLE), bytes, n);
  }
}

static void read_line(void) {
  size_t count = 0;
  DWORD n;
  while (count < sizeof line - 1 && ReadFile(stream(STD_INPUT_HANDLE), &line[count], 1, &n, NULL) && n == 1) {
    if (line[count] == '\n') break;
    count++;
  }
  line[count] = 0;
}

// One write, so that nobody's bytes come between a line and its end.
static void write_line(DWORD which, const char *text, const char *rest) {
  char whole[600];
  size_t count = 0;
  for (; *text && count < sizeof whole - 2; text++) whole[count++] = *text;
  if (count > 0 && *rest) whole[count++] = ' ';
  for (; *rest && count < sizeof whole - 1; rest++) whole[count++] = *rest;
  whole[count++] = '\n';
  write_all(stream(which), whole, count);
}

static void start_child(const char *words) {
  static char program[MAX_PATH + 1], command[2 * MAX_PATH];
  GetModuleFileNameA(NULL, program, sizeof program);
  if (strlen(program) + sizeof option + strlen(words) + 8 > sizeof command) ExitProcess(99);
  strcpy(command, "\"");
  strcat(command, program);
  strcat(command, "\"");
  strcat(command, option);
  char *next = command + strlen(command);
  for (; *words; words++) *next++ = *words == ',' ? ' ' : *words;
  *next = 0;
  STARTUPINFOA info = {
      .cb = sizeof info, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = stream(STD_INPUT_HANDLE),
      .hStdOutput = stream(STD_OUTPUT_HANDLE), .hStdError = stream(STD_ERROR_HANDLE)};
  PROCESS_INFORMATION made;
  if (!CreateProcessA(program, command, NULL, NULL, TRUE, 0, NULL, NULL, &info, &made)) ExitProcess(98);
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
}

static void play_word(char *word) {
  char *text = strchr(word, ':');
  if (text) *text++ = 0;
  else text = word + strlen(word);
  if (strcmp(word, "cat") == 0) copy_all();
  else if (strcmp(word, "line") == 0) read_line();
  else if (strcmp(word, "say") == 0) write_line(STD_OUTPUT_HANDLE, text, line);
  else if (strcmp(word, "out") == 0) write_line(STD_OUTPUT_HANDLE, text, "");
  else if (strcmp(word, "err") == 0) write_line(STD_ERROR_HANDLE, text, "");
  else if (strcmp(word, "exit") == 0) ExitProcess((UINT)atoi(text));
  else if (strcmp(word, "sleep") == 0) Sleep(1000000);
  else if (strcmp(word, "child") == 0) start_child(text);
  else ExitProcess(97);
}

__attribute__((constructor)) static void play(void) {
  const char *words = strstr(GetCommandLineA(), option);
  if (!words) return;
  words += sizeof option - 1;
  while (*words) {
    char word[256];
    size_t count = 0;
    while (*words && *words != ' ' && count < sizeof word - 1) word[count++] = *words++;
    while (*words == ' ') words++;
    word[count] = 0;
    play_word(word);
  }
  ExitProcess(0);
}
#endif

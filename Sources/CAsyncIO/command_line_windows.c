#if defined(_WIN32)
#include "win32.h"

#include <wchar.h>

// The arguments of a program, as the one line that the system hands over, and its environment. The traps:
//
// - A program takes its line apart itself. The C library's rules for that, which most programs follow: an argument ends
//   at a space unless it is quoted, and back-slashes are themselves, except before a quote. There each pair is one, and
//   an odd one makes the quote a character.
// - The name of the program is taken apart by other rules, without back-slashes: it ends at the next quote.
// - The system has limits for both, and says of what is longer only that a parameter is wrong.

// The longest that the system takes, in characters.
enum { MOST = 32767 };

static void append(struct win32_text *line, WCHAR character, size_t times) {
  for (size_t i = 0; i < times && !line->error; i++) {
    if (line->count + 1 >= MOST) line->error = -E2BIG;
    else line->text[line->count++] = character;
  }
}

// Back-slashes are themselves, but before a quote they come in pairs, and an odd one makes the quote a character.
static void append_argument(struct win32_text *line, const WCHAR *argument) {
  int is_quoted = !*argument || wcspbrk(argument, L" \t\n\v\"");
  if (is_quoted) append(line, '"', 1);
  for (const WCHAR *next = argument; *next || is_quoted; next++) {
    size_t slashes = 0;
    for (; *next == '\\'; next++) slashes++;
    append(line, '\\', *next == '"' || (!*next && is_quoted) ? 2 * slashes : slashes);
    if (!*next) break;
    if (*next == '"') append(line, '\\', 1);
    append(line, *next, 1);
  }
  if (is_quoted) append(line, '"', 1);
}

// The program's name is taken apart by other rules: up to the next quote.
static void append_program(struct win32_text *line, const WCHAR *name) {
  append(line, '"', 1);
  for (; *name; name++) {
    if (*name != '"') append(line, *name, 1);
  }
  append(line, '"', 1);
}

// The shell takes its line apart by rules of its own: without its registry's commands (/d), and without the first and
// the last quote of the command (/s), whatever is between them.
static void append_command(struct win32_text *line, const WCHAR *command) {
  for (const WCHAR *next = L"/d /s /c \""; *next; next++) append(line, *next, 1);
  for (; *command; command++) append(line, *command, 1);
  append(line, '"', 1);
}

int win32_line_of(char *const *arguments, int is_command, struct win32_text *line) {
  *line = (struct win32_text){.text = calloc(MOST + 1, sizeof *line->text)};
  if (!line->text) return -ENOMEM;
  for (size_t i = 0; arguments[i] && !line->error; i++) {
    WCHAR *wide = win32_wide(arguments[i]);
    if (!wide) line->error = -EILSEQ;
    else if (i == 0) append_program(line, wide);
    else {
      // The shell's own option is among those that come with the command.
      int is_last = !arguments[i + 1];
      if (!is_command || is_last) append(line, ' ', 1);
      if (!is_command) append_argument(line, wide);
      else if (is_last) append_command(line, wide);
    }
    free(wide);
  }
  return line->error;
}

int win32_block_of(char *const *environment, struct win32_text *block) {
  *block = (struct win32_text){0};
  if (!environment) return 0;
  block->text = calloc(MOST + 2, sizeof *block->text);
  if (!block->text) return -ENOMEM;
  for (size_t i = 0; environment[i] && !block->error; i++) {
    WCHAR *wide = win32_wide(environment[i]);
    if (!wide) block->error = -EILSEQ;
    for (const WCHAR *next = wide; next && *next; next++) append(block, *next, 1);
    append(block, 0, 1);
    free(wide);
  }
  return block->error;
}
#endif

// What the files for Windows take from the header of this name: see crt.c.
#ifndef DIRECT_H
#define DIRECT_H

int _mkdir(const char *path);
int _rmdir(const char *path);

#endif

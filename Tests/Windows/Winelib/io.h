// What the files for Windows take from the header of this name: see crt.c.
#ifndef IO_H
#define IO_H

int _dup2(int from, int to);
intptr_t _get_osfhandle(int number);

#endif

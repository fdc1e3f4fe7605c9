// What the files for Windows take from the header of this name: see crt.c.
#ifndef PROCESS_H
#define PROCESS_H

uintptr_t _beginthreadex(
    void *security, unsigned stack, unsigned(__stdcall *body)(void *), void *argument, unsigned flags,
    unsigned *number);

#endif

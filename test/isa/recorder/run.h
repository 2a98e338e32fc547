#ifndef RUN_H
#define RUN_H
#include "abi.h"

/* To be called once before the first case; `fsgsbase` tells whether segment bases may be read and written. */
void prepare(u32 fsgsbase);
/* Writes to standard output or ends the program. */
void write_all(const void *bytes, u64 length);
/* Every signal comes here: it writes down the finished case and returns into the next. */
void handler(int signal, void *info, void *context);
#endif

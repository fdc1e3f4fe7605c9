// Empty, and found in the place of clang's: mingw's malloc.h includes that one, which belongs to a module of clang's
// own and includes malloc.h in turn, so that what malloc.h defines would be there twice.

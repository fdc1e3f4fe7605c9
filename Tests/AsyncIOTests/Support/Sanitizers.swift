import POSIX

/// True in a run with the address sanitizer.
let isAddressSanitized = dlsym(dlopen(nil, RTLD_NOW), "__asan_init") != nil

/// True in a run with the thread sanitizer.
let isThreadSanitized = dlsym(dlopen(nil, RTLD_NOW), "__tsan_init") != nil

// Windows' header of this name, which wine 8 has not.
#ifndef AFUNIX_H
#define AFUNIX_H

struct sockaddr_un {
  ADDRESS_FAMILY sun_family;
  char sun_path[108];
};

#endif

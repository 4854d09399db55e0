/* options_help.h - the texts of --help. */
#ifndef PROXY_OPTIONS_HELP_H
#define PROXY_OPTIONS_HELP_H

#include "proxy/options.h"

extern const char *const options_help[OPTIONS_MODES]; /* RUN has the general one */

#endif

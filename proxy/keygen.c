/* keygen.c - see keygen.h. */
#include "proxy/keygen.h"

#include "backends/link/kdnet_key.h"

#include <errno.h>

static const char words[] =
	"kdgate: a key of 256 bits. It goes to a file that nobody else can read:\n"
	"    (umask 077; kdgate keygen >kdnet.key)\n"
	"    kdgate kdnet:0.0.0.0:50000 --key-file kdnet.key\n"
	"and to the target, as administrator; then restart it:\n"
	"    bcdedit /debug on\n"
	"    bcdedit /dbgsettings net hostip:ADDRESS-OF-THIS-HOST port:50000 key:KEY\n"
	"Or let the target make one, and put what it prints into the file:\n"
	"    kdnet.exe ADDRESS-OF-THIS-HOST 50000\n";

int keygen_print(FILE *key_to, FILE *words_to)
{
	char text[KDNET_KEY_TEXT];
	struct kdnet_key key;
	int rc = kdnet_key_new(&key);

	if (!rc && (fprintf(key_to, "%s\n", kdnet_key_text(&key, text)) < 0 || fflush(key_to)))
		rc = -errno;
	kdnet_wipe(&key, sizeof key);
	kdnet_wipe(text, sizeof text);
	if (!rc && words_to)
		fputs(words, words_to);
	return rc;
}

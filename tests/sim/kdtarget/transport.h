/* transport.h - the line to the host: a UNIX or TCP socket that one host at a time may connect to, or a pseudo-terminal. */
#ifndef SIM_KDTARGET_TRANSPORT_H
#define SIM_KDTARGET_TRANSPORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct transport {
	int listener, fd;  /* -1: none */
	bool pty;
	char name[160];    /* unix:PATH, tcp:HOST:PORT, pty:PATH */
	uint8_t in[1 << 16];
	size_t head, tail;
};

int transport_unix(struct transport *t, const char *path); /* 0; -1 and errno; so are the others */
int transport_tcp(struct transport *t, const char *where);
int transport_pty(struct transport *t);
int transport_address(const char *where, struct sockaddr_in *a); /* HOST:PORT */
void transport_close(struct transport *t);

bool transport_joined(const struct transport *t); /* somebody is there */
int transport_watch(const struct transport *t);   /* readable when transport_fill may do something; -1: nothing to watch */
void transport_fill(struct transport *t);         /* takes in what is there: a connection, bytes, an end */
int transport_take(struct transport *t);          /* a byte that came; -1: none */
void transport_write(struct transport *t, const void *bytes, size_t n); /* lost when nobody is there, or does not read for a second */

#endif

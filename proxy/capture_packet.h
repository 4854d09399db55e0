/* capture_packet.h - one captured frame as a TCP segment or a UDP datagram. Pure; for proxy/capture*.c alone. */
#ifndef PROXY_CAPTURE_PACKET_H
#define PROXY_CAPTURE_PACKET_H

#include "base/buf.h"

/* How a frame begins. */
enum capture_layer { CAPTURE_IP, CAPTURE_ETHERNET, CAPTURE_SLL, CAPTURE_SLL2, CAPTURE_LOOPBACK, CAPTURE_LAYERS };

enum capture_found { CAPTURE_TCP, CAPTURE_UDP, CAPTURE_OTHER };

enum { CAPTURE_FIN = 0x01, CAPTURE_SYN = 0x02, CAPTURE_RST = 0x04, CAPTURE_ACK = 0x10 };

/* Without padding: compared as bytes. IPv4 fills the first four. */
struct capture_end {
	uint8_t addr[16];
	uint16_t v6, port;
};

struct capture_packet {
	struct capture_end from, to;
	uint32_t seq, ack;
	unsigned flags;
	struct span bytes; /* of the frame; fewer than were sent where the capture cut it */
};

/* Sources: RFC 791, 8200, 9293; tcpdump.org, "Link-layer header types". TCP: *p is filled; UDP: without seq, ack, flags, and without
 * bytes where the capture cut it. Fragments are OTHER. */
enum capture_found capture_packet_parse(struct capture_packet *p, enum capture_layer layer, struct span frame);

#endif

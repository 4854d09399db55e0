/* replay.c - see replay.h. */
#include "proxy/replay.h"

#include "backends/kd/replay.h"
#include "backends/link/kdnet_read.h"
#include "proxy/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A stream, from both sides. */
struct stream {
	bool used;
	struct kd_framer framer[2];
};

struct loading {
	struct kd_replay *replay;
	struct capture *capture;
	struct kdnet_read read;
	struct stream streams[CAPTURE_FLOWS];
	uint64_t chosen;         /* the stream that is KD, by its number; 0: none yet */
	uint64_t sealed;         /* datagrams that could not be opened */
	char ends[2][CAPTURE_NAME]; /* between which KDNET is; "": not known yet */
};

/* --- streams */

static int begin_stream(struct stream *s)
{
	int rc;

	kd_framer_fini(&s->framer[0]);
	kd_framer_fini(&s->framer[1]);
	*s = (struct stream){ .used = true };
	rc = kd_framer_init(&s->framer[0]);
	return rc ? rc : kd_framer_init(&s->framer[1]);
}

static int take_packet(struct loading *l, const struct capture_piece *piece, const struct kd_packet *p)
{
	if (!l->chosen && !p->control && !*l->ends[0])
		l->chosen = piece->number;
	return l->chosen == piece->number ? kd_replay_put(l->replay, p, piece->from_client) : 0;
}

static int take_bytes(struct loading *l, const struct capture_piece *piece)
{
	struct kd_framer *f = &l->streams[piece->flow].framer[piece->from_client];
	struct cursor c = cursor_of(piece->bytes);
	struct kd_packet p;
	int rc = 0;

	if (piece->gap)
		kd_framer_reset(f);
	if (!kd_framer_midway(f) && kd_packet_parse(piece->bytes, &p) == KD_FRAME_PACKET)
		return take_packet(l, piece, &p); /* of a carrier of packets */
	while (!rc && c.p < c.end)
		if (kd_framer_next(f, &c, &p) == KD_FRAME_PACKET)
			rc = take_packet(l, piece, &p);
	return rc;
}

/* --- KDNET */

static bool is_between(const struct loading *l, const struct capture_piece *p)
{
	return (!strcmp(l->ends[0], p->from) && !strcmp(l->ends[1], p->to)) || (!strcmp(l->ends[1], p->from) && !strcmp(l->ends[0], p->to));
}

static int take_datagram(struct loading *l, const struct capture_piece *piece)
{
	struct kdnet_seen seen;
	struct kd_packet p;

	kdnet_read_look(&l->read, piece->bytes, &seen);
	l->sealed += seen.found == KDNET_READ_SEALED || seen.found == KDNET_READ_WRONG;
	if (seen.found != KDNET_READ_OPENED || seen.control || l->chosen || kd_packet_parse(seen.body, &p) != KD_FRAME_PACKET)
		return 0;
	if (!*l->ends[0]) {
		memcpy(l->ends[0], piece->from, CAPTURE_NAME);
		memcpy(l->ends[1], piece->to, CAPTURE_NAME);
	}
	return is_between(l, piece) ? kd_replay_put(l->replay, &p, seen.from_host) : 0;
}

static int take_piece(struct loading *l, const struct capture_piece *piece)
{
	if (piece->datagram)
		return take_datagram(l, piece);
	if (piece->begins)
		return begin_stream(&l->streams[piece->flow]);
	return piece->ends || !l->streams[piece->flow].used ? 0 : take_bytes(l, piece);
}

/* --- a file */

static int load_all(struct loading *l, const char *file, char *why, size_t why_size)
{
	struct capture_piece piece;
	int rc;

	while ((rc = capture_next(l->capture, &piece)) == 1)
		if (take_piece(l, &piece) < 0) {
			snprintf(why, why_size, "out of memory");
			return -ENOMEM;
		}
	if (rc < 0) {
		snprintf(why, why_size, "%s", capture_why(l->capture));
		return rc;
	}
	rc = kd_replay_end(l->replay);
	if (rc == -ENOMEM)
		snprintf(why, why_size, "out of memory");
	else if (rc < 0 && l->sealed)
		snprintf(why, why_size, "%s: it has KDNET that was not opened; expected --key-file with the key of its target", file);
	else if (rc < 0)
		snprintf(why, why_size, "%s: no KD conversation in which a target stopped and told its version", file);
	return rc;
}

static void loading_destroy(struct loading *l)
{
	for (size_t i = 0; i < CAPTURE_FLOWS; i++) {
		kd_framer_fini(&l->streams[i].framer[0]);
		kd_framer_fini(&l->streams[i].framer[1]);
	}
	kdnet_read_fini(&l->read);
	capture_close(l->capture);
	free(l);
}

static struct loading *loading_new(const struct kdnet_key *key)
{
	struct loading *l = calloc(1, sizeof *l);

	if (!l || kdnet_read_init(&l->read, key) < 0) {
		free(l);
		return NULL;
	}
	l->replay = malloc(sizeof *l->replay);
	if (l->replay) {
		kd_replay_init(l->replay);
		return l;
	}
	loading_destroy(l);
	return NULL;
}

int replay_load(struct kd_replay **r, const char *file, const struct kdnet_key *key, char *why, size_t why_size)
{
	struct loading *l = loading_new(key);
	int rc = l ? capture_open(&l->capture, file, why, why_size) : -ENOMEM;

	*r = NULL;
	if (!l)
		snprintf(why, why_size, "out of memory");
	if (!l)
		return rc;
	if (!rc) {
		capture_with_datagrams(l->capture);
		rc = load_all(l, file, why, why_size);
	}
	if (rc)
		replay_drop(l->replay);
	else
		*r = l->replay;
	loading_destroy(l);
	return rc;
}

void replay_drop(struct kd_replay *r)
{
	if (r)
		kd_replay_fini(r);
	free(r);
}

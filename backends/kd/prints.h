/* prints.h - notices, in what a KD target prints, the lines by which its kernel tells about itself (KD 5.2). */
#ifndef BACKENDS_KD_PRINTS_H
#define BACKENDS_KD_PRINTS_H

#include "base/buf.h"

/* Zero it to begin; no pointers in it. A line is known by its beginning, however its bytes are spread over packets. Any program on the
 * target can print the same, so what is noticed may explain a stop, not decide about one. */
enum kd_notice { KD_NOTICE_REFRESH = 1 /* the kernel looks for a debugger: it boots, or a bugcheck begins */,
		 KD_NOTICE_BUGCHECK = 2 /* the next state change is its stop */, KD_NOTICE_PARAMETERS = 4, KD_NOTICE_DRIVER = 8 };
enum { KD_LINE_MAX = 512, KD_DRIVER_MAX = 64 };
struct kd_prints {
	char line[KD_LINE_MAX]; /* that has not ended; what is longer is not read */
	size_t len;
	bool fatal;             /* the parameters of a bugcheck may come yet */
	uint32_t code;          /* of the last bugcheck */
	unsigned params_n;      /* 0 or 4 */
	uint64_t params[4];
	char driver[KD_DRIVER_MAX]; /* printable ASCII; "" not said */
};
unsigned kd_prints_feed(struct kd_prints *p, struct span text); /* of enum kd_notice: what has come with this text */
unsigned kd_prints_end(struct kd_prints *p);                    /* a state change has come: the line that was begun is all there is */

#endif

/* job.h - one debugger command as the several requests a stub needs for it. A value: no I/O, no clock. */
#ifndef BACKENDS_RSP_JOB_H
#define BACKENDS_RSP_JOB_H

#include "backends/rsp/stub.h"

enum job_step { JOB_GENERAL, JOB_RESUME_THREAD, JOB_DO };

struct job {
	struct rsp_cmd cmd;
	enum job_step step;
	size_t at, end;       /* bytes done; bytes wanted: of reads and writes */
	size_t asked;         /* of them, in the request that is out */
	bool cut;             /* no request after this one */
	struct buf data;      /* to be written */
	struct rsp_thread *threads; /* a list under way, RSP_THREADS_MAX of them */
	size_t threads_n;
	bool listing;         /* the first part of a thread list has come */
	struct buf doc;       /* a document under way */
	unsigned chunks;      /* of it */
};

int job_init(struct job *j) MUST_USE;
void job_fini(struct job *j);

/* A read of a document (qXfer) is answered with the whole of it, as one last chunk.
 * Takes a copy of what it needs. 0; -EOPNOTSUPP this stub cannot; -EINVAL it must not be asked that. */
int job_start(struct job *j, const struct stub *s, const struct rsp_cmd *cmd) MUST_USE;

/* Puts the body of the next request. 0; -ENOBUFS. */
int job_request(struct job *j, const struct stub *s, struct buf *out) MUST_USE;
bool job_resumes(const struct job *j);  /* the request that is due or out makes the target run */
bool job_unanswered(const struct job *j); /* the request that is due or out gets no answer: k */
unsigned job_patience(const struct job *j); /* ms an answer may take */

enum { JOB_PART = 2 };

/* Takes the answer, which is used up. 1: done, *reply borrows from body and from the job; 0: there is more to ask;
 * JOB_PART: the same, and *reply has bytes of a read that may go on already: those of the last answer follow them;
 * -EBADMSG: no answer to that request, and the job goes on waiting. */
int job_answer(struct job *j, struct stub *s, struct buf *body, struct rsp_reply *reply) MUST_USE;

void job_cut(struct job *j); /* ask for nothing more than the request that is due or out */

#endif

/*
 * content/answer: what every answer of the service is once it is cached: its
 * age, and a document.
 */
#ifndef CONTENT_ANSWER_H
#define CONTENT_ANSWER_H

#include "base/mem.h"

/* What every answer says of its age. */
struct answer_age {
	int64_t left_ms; /* of the lifetime: for the kernel's timeouts; ≥ 0 */
	int64_t fetched_ms; /* wall clock: when the service said so; 0: it is
			     * not known */
	bool stale; /* a refresh is due: call again with READ_REFRESH from
		     * the background */
	bool from_collection; /* an item that is as old as its collection: the
			       * collection is what to refresh */
	bool asked;           /* it was asked for just now, by itself */
};

struct answer_document {
	struct blob *body; /* JSON */
	uint64_t version;
	int64_t updated_ms; /* 0: it does not say */
	struct answer_age age;
};
void answer_document_done(struct answer_document *);
DEFINE_CLEANUP_DONE(struct answer_document, answer_document_done);

#endif

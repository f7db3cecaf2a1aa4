#ifndef PXR_HTTPD_HISTORY_H
#define PXR_HTTPD_HISTORY_H

#include "pxr_db.h"
#include "pxr_history.h"
#include "pxr_httpd.h"

/* What the files of the history share: the requests (handler_history.c, handler_people.c), the
 * thread that asks the database for them (history_thread.c) and the page that goes from one to the
 * other (history_page.c). */

/* A meeting and everything that it names, in memory of its own. */
typedef struct pxr_entry pxr_entry_t;
struct pxr_entry {
    pxr_entry_t *next;
    pxr_past_t past;
    char id[PXR_MEETING_ID_MAX + 1];
    char number[PXR_ALIAS_MAX + 1];
    pxr_attendee_t *people;
    char packed[]; /* details */
};

typedef struct {
    pxr_entry_t *first;
    pxr_entry_t *last;
    bool more; /* there are others behind the last */
} pxr_page_t;

/* Makes a page of what the database hands out. */
typedef struct {
    pxr_page_t page;
    pxr_roster_leg_t *legs; /* of the last meeting */
    size_t leg_count;
    size_t leg_room;
    size_t total; /* legs of the page */
    int64_t until;
    bool cut; /* enough for one page */
    bool no_memory;
    char packed[PXR_DETAILS_MAX];
} pxr_collector_t;

pxr_db_visitor_t pxr_collector_visitor(pxr_collector_t *collector);
/* After the last record. False where memory ran out. */
bool pxr_collector_end(pxr_collector_t *collector, bool more);
/* All but the page. */
void pxr_collector_free(pxr_collector_t *collector);
void pxr_page_free(pxr_page_t *page);

typedef enum {
    PXR_READING_DONE,
    PXR_READING_BUSY,    /* others read already */
    PXR_READING_LATE,    /* no answer in time */
    PXR_READING_STOPPED, /* the process is about to exit */
    PXR_READING_FAILED,
} pxr_reading_t;

/* Reads in a thread of its own and waits for it, at most PXR_HISTORY_WAIT. The page is the caller's
 * after PXR_READING_DONE; `why` tells of a failure. */
pxr_reading_t pxr_history_read(const pxr_db_history_t *query, pxr_page_t *page, char *why,
                               size_t why_size);

/* Whether the person is known, and what became of the wish. */
typedef struct {
    bool known;
    bool done;    /* nothing is left in meetings that have ended */
    bool running; /* others name the person, too */
} pxr_removed_t;

/* Takes a person out of the history, in the same way; what the keeper has not done within
 * PXR_REMOVAL_WAIT it does later. */
pxr_reading_t pxr_history_remove(const pxr_removal_t *removal, pxr_removed_t *removed, char *why,
                                 size_t why_size);

/* handler_history.c: whether there is a history, and a database that can be asked for it. Else the
 * request has been answered, with *reply. */
bool pxr_history_is_there(request_rec *r, const pxr_call_t *call, int *reply);
/* Answers a request of which the outcome is not PXR_READING_DONE. */
int pxr_history_refuse(request_rec *r, pxr_reading_t reading, const char *why);

#endif

#ifndef PXR_HISTORY_H
#define PXR_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "pxr_details.h"
#include "pxr_event.h"
#include "pxr_roster.h"

/*
 * What is told about meetings that are over. All functions are pure and may be called from any
 * thread.
 */

/* A person who was in the room, made of all legs that belong together (event reference 4.6). */
typedef struct {
    const char *id; /* as in the roster: uuid of the leg that came first; borrowed from the legs */
    const char *name;
    const char *protocol; /* of a leg with media */
    pxr_role_t role;
    pxr_quality_t quality;   /* the worst that any of the legs ever had */
    pxr_time_t connected_at; /* from here on: legs with media only; 0 where it is not known */
    pxr_time_t left_at;
    int64_t present; /* microseconds; absences of PXR_ABSENCE and more are not in it */
} pxr_attendee_t;

/* A shorter absence is one of the call's technique: a leg is handed over, or moves to another
 * node. */
#define PXR_ABSENCE (10 * PXR_SECOND)

/* Like pxr_roster_people(), for legs that have left. Who was only on the way into the room is
 * nobody here. */
size_t pxr_attendance(pxr_roster_leg_t *legs, size_t count, uint32_t *index, pxr_attendee_t *people,
                      size_t max);

/* A meeting that has ended. */
typedef struct {
    const char *id;
    const char *number; /* "" for none */
    bool inferred;
    pxr_time_t created_at, not_before, not_after;
    pxr_time_t started_at; /* 0: nobody ever came */
    pxr_time_t ended_at;
    pxr_details_t details;
    const pxr_attendee_t *people;
    size_t people_count;
} pxr_past_t;

/* How long it lasted, in microseconds; 0 where nobody ever came. */
int64_t pxr_past_duration(const pxr_past_t *past);

/* Whole seconds, rounded. */
int64_t pxr_seconds(int64_t duration);

/* Takes a piece of the table that is being written. */
typedef void (*pxr_csv_sink_t)(void *context, const char *text, size_t len);

/* The history as a table (RFC 4180, UTF-8): a header, then a line for each person, or one without
 * a person for a meeting that nobody joined. */
void pxr_csv_header(pxr_csv_sink_t sink, void *context);
void pxr_csv_meeting(const pxr_past_t *past, pxr_csv_sink_t sink, void *context);

/* One cell, with quotation marks where it needs them. What a spreadsheet could take for a formula
 * gets an apostrophe before it. */
void pxr_csv_cell(const char *text, size_t len, pxr_csv_sink_t sink, void *context);

#endif

#include "pxr_meeting.h"

#include <string.h>

void pxr_meeting_init(pxr_meeting_t *m, pxr_time_t now, pxr_time_t not_before, pxr_time_t not_after,
                      int64_t lifetime, int64_t grace, int64_t silence)
{
    memset(m, 0, sizeof(*m));
    m->created_at = now;
    m->not_before = not_before;
    m->not_after = not_after;
    m->expires_at = not_after != 0 ? not_after : pxr_time_later(now, not_before) + lifetime;
    m->grace = grace;
    m->silence = silence;
    m->state = PXR_MEETING_OPEN;
}

pxr_verdict_t pxr_meeting_verdict(const pxr_meeting_t *m, pxr_time_t now)
{
    if (m->state == PXR_MEETING_ENDED) {
        return PXR_ENDED;
    }
    if (m->closed) {
        return PXR_CLOSED;
    }
    if (m->state == PXR_MEETING_LIVE) {
        return PXR_ADMIT;
    }
    if (now < m->not_before) {
        return PXR_NOT_YET;
    }
    return now >= m->expires_at ? PXR_ENDED : PXR_ADMIT;
}

void pxr_meeting_account(pxr_meeting_t *m, int32_t shares, int32_t present, pxr_time_t now)
{
    m->shares += (uint32_t)shares;
    m->present += (uint32_t)present;
    if (m->state == PXR_MEETING_OPEN) {
        m->state = PXR_MEETING_LIVE;
    }
    if (m->shares > 0) {
        m->unhosted_since = 0;
    } else if (m->unhosted_since == 0) {
        m->unhosted_since = now;
    }
    if (m->present > 0) {
        m->empty_since = 0;
    } else if (m->empty_since == 0) {
        m->empty_since = now;
    }
}

/* When a live meeting that drains is over; PXR_TIME_NEVER while it does not drain. */
static pxr_time_t drained_at(const pxr_meeting_t *m, pxr_time_t last_join)
{
    pxr_time_t at;

    if (m->unhosted_since != 0) {
        at = m->unhosted_since + m->grace;
    } else if (m->empty_since != 0) {
        at = pxr_time_later(m->empty_since + m->silence, m->crowded_until);
    } else {
        return PXR_TIME_NEVER;
    }
    /* Somebody asked for the meeting after the last person had left: he may be typing a PIN. */
    if (!m->closed && m->empty_since != 0 && last_join >= m->empty_since) {
        at = pxr_time_later(at,
                            pxr_time_earlier(last_join + PXR_HOLD, m->empty_since + PXR_HOLD_MOST));
    }
    return at;
}

pxr_time_t pxr_meeting_due(const pxr_meeting_t *m, pxr_time_t last_join)
{
    switch (m->state) {
    case PXR_MEETING_OPEN:
        return m->dismissed_at != 0 ? m->dismissed_at : m->closed ? 0 : m->expires_at;
    case PXR_MEETING_LIVE:
        return m->dismissed_at != 0 && m->present == 0 ? m->dismissed_at : drained_at(m, last_join);
    default:
        return PXR_TIME_NEVER;
    }
}

static void end(pxr_meeting_t *m, pxr_time_t now)
{
    m->state = PXR_MEETING_ENDED;
    m->inferred = m->shares > 0;
    /* The nodes know best when it was over, but their clocks may run ahead of ours. */
    m->ended_at = m->last_end != 0 && m->started_at != 0 ? pxr_time_earlier(m->last_end, now)
                  : m->empty_since != 0                  ? m->empty_since
                                                         : now;
    m->ended_at = pxr_time_later(m->ended_at, m->started_at);
    m->shares = 0;
    m->present = 0;
    m->empty_since = 0;
    m->unhosted_since = 0;
}

bool pxr_meeting_tick(pxr_meeting_t *m, pxr_time_t last_join, pxr_time_t now)
{
    if (now < pxr_meeting_due(m, last_join)) {
        return false;
    }
    if (m->state == PXR_MEETING_LIVE && !m->closed && m->not_after > now) {
        /* Its time is not over: whoever comes next finds it open again. Shares of nodes that never
         * said goodbye are forgotten, so that the meeting does not look hosted. */
        m->state = PXR_MEETING_OPEN;
        m->era++;
        m->crowded_until = 0;
        m->shares = 0;
        m->empty_since = 0;
        m->unhosted_since = 0;
        return true;
    }
    end(m, now);
    return true;
}

bool pxr_meeting_close(pxr_meeting_t *m, pxr_time_t now)
{
    if (m->state == PXR_MEETING_ENDED) {
        return false;
    }
    if (m->present == 0 && m->crowded_until <= now) {
        m->closed = 1;
        end(m, now);
        return true;
    }
    if (m->closed) {
        return false;
    }
    m->closed = 1;
    return true;
}

bool pxr_meeting_dismiss(pxr_meeting_t *m, pxr_time_t now)
{
    if (m->state == PXR_MEETING_ENDED || m->closed) {
        return false;
    }
    m->closed = 1;
    if (m->present == 0 && m->crowded_until <= now) {
        m->dismissed_at = now;
    }
    return true;
}

const char *pxr_meeting_state_name(uint32_t state)
{
    switch (state) {
    case PXR_MEETING_OPEN:
        return "open";
    case PXR_MEETING_LIVE:
        return "live";
    default:
        return "ended";
    }
}

"""Answers to comments on the diff, by people and by the app."""

from __future__ import annotations

from dataclasses import replace

from webhooks.sandbox.state import PullRequest, Review, ReviewComment, State, User


def make_review(state: State, pull: PullRequest, user: User, commit: str, association: str) -> Review:
    """The review of its own that each lone comment gets."""
    now = state.clock()
    review = Review(state.next_id(), user, "", "COMMENTED", commit, now, association, state.ticks())
    pull.reviews[review.id] = review
    pull.updated_at = now
    return review


def make_reply(
    state: State, pull: PullRequest, comment: ReviewComment, text: str, user: User, *, association: str
) -> ReviewComment:
    """A reply in the thread of a comment; it stands where the thread does."""
    root = pull.comments[comment.in_reply_to_id or comment.id]
    review = make_review(state, pull, user, pull.head_sha, association)
    now = state.clock()
    made = replace(
        root,
        id=state.next_id(),
        review_id=review.id,
        in_reply_to_id=root.id,
        body=text,
        user=user,
        created_at=now,
        updated_at=now,
        author_association=association,
        posted=state.ticks(),
    )
    pull.comments[made.id] = made
    return made

"""A recommendation service: events in, recommendations out, models that update themselves (extra ``serve``)."""

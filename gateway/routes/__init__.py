"""Routes by concern. They read views and send commands; they decide nothing."""

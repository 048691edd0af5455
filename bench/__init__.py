"""Side by side: idiomatic Faust and Doudi on the same records, the same broker, one worker, one run."""

"""Mass production: shards of showers, a manifest, and the processes that make them."""

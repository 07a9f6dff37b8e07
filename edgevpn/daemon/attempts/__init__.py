"""Why a connection failed: attempts are watched, explained, and judged again."""

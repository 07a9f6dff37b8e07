"""The settings model: one TOML file in, frozen records out (`reader.load`, `model.Config`, `errors.ConfigError`)."""

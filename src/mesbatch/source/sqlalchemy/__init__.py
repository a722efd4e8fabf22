"""SQLAlchemy's engines, connections and statements."""

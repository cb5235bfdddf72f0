"""HTTP to the ERP and what an upstream offers."""

"""Write AWS Lambda deployment ZIPs straight from a Poetry lock file."""

"""The audit: proves over all services' books that money, stock, orders and mails add up."""

"""What StreamPay promises, as checks that leave evidence."""

"""The rules of fraud: what is remembered, how an order is judged, how a review goes."""

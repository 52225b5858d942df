"""The members of a sweep: their values, their recipe's text, their record, the median rule."""

def auto_dot(*a,**k): raise SystemError

# Whatever asks this object or its exception for a text gets another exception.
class Failing(Exception):
    def __repr__(self):
        raise Failing

    __str__ = __format__ = _repr_latex_ = _ipython_display_ = _repr_mimebundle_ = __repr__

    def __getattr__(self, name):
        raise Failing


import sys

sys.displayhook = sys.excepthook = Failing()
get_ipython().set_custom_exc((Exception,), lambda *_: Failing())
display(Failing())
raise Failing

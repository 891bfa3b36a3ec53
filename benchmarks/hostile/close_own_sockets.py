import gc

import zmq

for thing in gc.get_objects():
    if isinstance(thing, zmq.Socket):
        thing.close(linger=0)

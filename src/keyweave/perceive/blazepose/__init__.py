"""Poses by the two networks of BlazePose (Bazarevsky et al. 2020): one finds people, one finds the joints of a person.

The networks are MediaPipe's and run through LiteRT; what goes into them and what is made of what comes out is here.
"""

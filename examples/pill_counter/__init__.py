"""A pharmacy's app that counts the pills on a tray from a photo, and the people around it.

trays, photos       where photos come from, with their truth
model               a real, imperfect counting model; train and evaluate are its commands
app                 the web app of the end user
simulate, annotate  the users and the annotator, played by programs, so that the whole loop can run by itself
"""

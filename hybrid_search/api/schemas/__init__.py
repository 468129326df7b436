"""JSON to records and back, shared by the service, the command line and the manifests.

``assets`` holds what comes in and is stored, ``filters`` and ``queries`` what is asked,
``answers`` what goes out.
"""

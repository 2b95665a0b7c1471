def documents():
    return []

"""stub"""
def markdown_document(reports, error=None): return ""
